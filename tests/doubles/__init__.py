"""What stands in for the world in tests, and what makes values for them.

builders            findings, reports, runs and lists of backups, with the values that a test names
reports             reports, committed to a bucket in memory
fakes               the ports in memory; tests/contract runs the same tests over fake and real
foundation          a list of service instances, page by page, while it changes
fake_time           a clock that moves when somebody waits
crashing            dies before or after an effect
scripted_server     an HTTP server that answers what a test says, and keeps what it was asked
stubborn_server     servers and proxies that break the rules, byte by byte
cloudwatch          metrics out of log lines, and how an alarm judges them
"""
