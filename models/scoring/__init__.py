"""How good alarms are against the truth: pure arithmetic on alarms, labels and score series."""
