"""Mutation testing: changes to the rules that the unit tests have to notice."""

FLOOR = 10_800  # mutants; fewer are tried if a path in mutmut's settings matches nothing any more
