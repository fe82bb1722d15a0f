"""The benchmark: `make bench` measures, `make bench-docs` draws and writes docs/benchmark.md.

cases, figures, goals       what is measured, what becomes of it, what it should be
nginx, nginx_conf           the API: a server that is never the bottleneck
target, ours, peers         the clients, one module each
clients                     one measurement of one client, in a process of its own
children                    starts such processes
fan_out, cold_job, aimd     what the clients are compared in
aws, aws_server             AWS for whole jobs
invoke, invocation          the packaged function, and one invocation of it
memory, inventory           large fleets on bad days, and what discovers them
alerts, fake_sns            problems from day to day, and the messages about them
report_page, reader         report.html: what drawing it takes, and opening it in a browser
whole_job, cold_start       an invocation's time, memory and start
results, tables, __main__   one run, kept as .local/bench.json and printed
pictures, page, docs        the same for people who read
"""
