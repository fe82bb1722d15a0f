"""docs/benchmark.md: the figures, and how they came about."""

from tools.bench.goals import goals
from tools.bench.results import Results
from tools.bench.tables import Table, tables

_METHOD = """\
## Method

`make bench` does it all again, in 50 minutes; `make bench REPEATS=1` in 25, `make bench QUICK=1`
in 3. `make bench ONLY="fan-out memory"` measures these sections and keeps the others. It needs
nginx with a module that waits without work (`apt-get install nginx-light libnginx-mod-http-echo`),
curl, and a Chromium (`$CHROMIUM`, or one on the PATH). The figures are kept in `.local/bench.json`.

- **Work**: GET the list of backups, parse it, take the newest timestamp. Each answer is checked.
- **Server**: one nginx worker on loopback, HTTPS, keep-alive. It waits L ms and then sends a fixed
  answer. Its timers are exact to a millisecond, so no client gets much above 98 % of the limit
  where L is 50.
- **Cases**: `L50_C16` means answers after 50 ms, 16 requests in flight, 5 backups in each answer;
  `_B30` means 30.
- **Clients** run one at a time, each measurement in a process of its own. In every round each has
  its turn in every case; the figures are medians over the rounds.
- **Clock**: it starts after a second of warm-up, when all connections are open, and ends with the
  last answer.
- **Trust**: all clients read the same file, the public CAs and the server's own. "one CA" reads the
  server's alone.
- **Session+ThreadPoolExecutor** and **cloudfoundry-client** get a connection pool as large as their
  number of threads. With requests' own 10, connections would be thrown away and opened again and
  again.
- **requests.get** asks one at a time, with a new connection each; its figure is the same whatever
  others have in flight.
- **curl** includes the start of its process and its handshakes, which cannot be kept out of its CPU
  time; therefore it reads the server's CA alone, but for the cold job.
- **Whole job**: the function as it is packaged, in a new process for each run. S3, SNS, SSM and
  Secrets Manager are moto in another process, on the same cores. Over 100,000 instances it runs
  once. Memory is the peak of the resident set.
- **Cold start**: a package with .pyc files for all of it, and one without; the same process
  imports, then audits one instance.
- **At Lambda's share of a CPU**: a quota of a cgroup (v1 or v2, 20 ms a period) where one can be
  made, else the process is stopped and continued by signals when it has had its share of a period.
- **Brokers that hang**, **500 instances at 100 a run**, **refused for ever**: a run of 15 minutes
  takes a second, since time is simulated; `tests/doubles/simulation.py` has the engine's place.
- **Large bad days**: the use case with real documents and messages; S3 is a folder, SNS counts.
- **Discovered fleets**: the list is served by another process over HTTP on loopback, 1,000
  instances a page of 1.6 MB; the reader, the selection and the batches are the product's. Memory is
  that of the whole run, and a fiftieth of the instances is excluded.
- **Instances that come and go**: the reader reads from a list in the same process that changes
  between two requests; pages are small, so that there are many.
- **New problems**, **Messages of a fleet**, **Problems from day to day**: the use case with real
  documents; the inventory is read over HTTP from another process, objects are files, and the API
  answers at once. Of new problems the round counts whose events took the median of CPU time.
- **The report's page**: pages of the fleets that the tests look at, opened from a disk on a screen
  of 1,280 by 900, each time in a fresh profile of a browser at rest: while it starts the profile's
  processes, a page takes half as long again. A step ends when the new rows have their places.
  The page is drawn with templates compiled. The peaks are of the step `conclude` of mode `map` over
  100,000 stale instances, each in a process of its own.
- **AIMD**: the product with 96 workers, against the best of 32, 48 and 64, which that server
  never refuses. nginx counts the refusals.
"""


def page(results: Results) -> str:
    """The page as Markdown, with its pictures in bench/ beside it."""
    return "\n\n".join([_intro(results), *map(_section, tables(results)), _METHOD])


def _intro(results: Results) -> str:
    machine, all_goals = results.machine, goals(results)
    assert machine
    met = sum(goal.met is True for goal in all_goals)
    days = sorted({when.at[:10] for when in results.measured.values()})
    rounds = sorted({when.repeats for when in results.measured.values()})
    is_quick = any(when.quick for when in results.measured.values())
    quick = "\n\n**A quick run, to see that it works: its figures prove little.**"
    return f"""\
# Benchmark

Written by `make bench-docs` from what `make bench` measured: the product beside the usual ways to
do its work, and on bad days.

Measured on {" and ".join(days)}: {machine.cores} cores, {machine.system},
Python {machine.python}, nginx {machine.nginx}; medians of {" or ".join(map(str, rounds))} rounds.
{met} of {len(all_goals)} goals are met. On a shared machine a figure differs by 15 to 25 % from run
to run. The clients take turns within a run: compare them with each other, not with another run.\
{quick if is_quick else ""}"""


def _section(table: Table) -> str:
    picture = f"![{table.title}](bench/{table.picture})\n\n" if table.picture else ""
    return f"## {table.title}\n\n{table.note}\n\n{picture}{table.markdown()}"
