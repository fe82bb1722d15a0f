"""The command line, for a person at a shell. It does not ship to Lambda.

__main__        `backup-audit`, and the arguments of its commands
try_out         a foundation asked and judged from here, nothing written
check           what a run would refuse of a configuration, or warn of
run             one audit, here
explain         is an instance audited, and why?
function        what both ask: the function, and its log for a person
verify          are the reports in a bucket those that were written?
archives        a bucket, or a copy of one in a folder, read as a whole
chain           pure: each run names the sha256 of the run before it
documents       what is read from a file, standard input or an address
standard_input  a token, or a secret that does not echo
table           verdicts and reasons, on wide terminals and narrow ones
output          stdout and stderr
exit_status     how commands end
"""
