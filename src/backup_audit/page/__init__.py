"""report.html: a run's report for people, drawn from the stored report.json."""
