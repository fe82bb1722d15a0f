"""A cloud on this machine, to run the function against: `make run`.

behaviours                   how an instance answers when it is asked for its backups
replies, uaa, api            what a foundation says over HTTP
simulated_cloud_controller   the same, on a loopback port
names, troubles, fleets      the fleets to audit
environment, aws             AWS in this process (moto), kept in files between runs
scaled, judged               time that runs faster, and what all runs together came to
messages                     what was published
show, __main__               what a person sees
"""
