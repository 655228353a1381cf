"""Exit codes of the one console script, by contract."""

OK = 0
FAILURE = 1
USAGE = 2
BAD_DATA = 65
NO_INPUT = 66
UNAVAILABLE = 69
BAD_CONFIG = 78
