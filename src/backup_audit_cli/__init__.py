"""The command line, for a person at a shell. It does not ship to Lambda.

__main__        `backup-audit`, and the arguments of its commands
try_out         a foundation asked and judged from here, nothing written
check           what a run would refuse of a configuration, or warn of
run             one audit, here
explain         is an instance audited, and why?
function        what both ask: the function, and its log for a person
show            the newest report at a terminal
glance          what it says, found in one pass over the report
sparkline       the trend of open problems in one line
verify          are the reports in a bucket those that were written?
evidence        what do the reports of a period prove?
gathering       reads them, one after the other
tally           what full runs say, counted while they pass
bounded         lists that are bounded, with exact counts
period          the document that comes of it
evidence_text   the document in lines
evidence_page   the document as a page
stored_run      a committed run, and the checksums of what was read
runs            the runs below a place
archives        a bucket, or a copy of one in a folder
chain           pure: each run names the sha256 of the run before it
documents       what is read from a file, standard input or an address
standard_input  a token, or a secret that does not echo
table           verdicts and reasons, on wide terminals and narrow ones
output          stdout and stderr
exit_status     how commands end
"""
