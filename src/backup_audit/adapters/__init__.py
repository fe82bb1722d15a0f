"""One module per technology; foreign errors and payloads are translated here, at the edge."""
