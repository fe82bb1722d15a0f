"""The same work in the ways that people do it: GET, parse, newest timestamp."""
