"""The world: a simulated potline that stands in for a real one and shares only signal names with the rest."""
