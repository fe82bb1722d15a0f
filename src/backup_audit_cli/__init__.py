"""The command line, for a person at a shell. It does not ship to Lambda.

__main__    `backup-audit`, and its commands
run         one audit, here
verify      are the reports in a bucket those that were written?
archives    a bucket, or a copy of one in a folder, read as a whole
chain       pure: each run names the sha256 of the run before it
"""
