"""A cloud on this machine, to run the function against: `make run`.

behaviours                   how an instance answers when it is asked for its backups
foundation, roles            what it belongs to, and who may see it
labels, query                what may be asked of the list of instances
instance_table, listing      the list, page by page
replies, uaa, api            what a foundation says over HTTP
simulated_cloud_controller   the same, on a loopback port
names, places, troubles      what a fleet is made of
fleet, fleets, discovered,
changing                     the fleets to audit
environment, aws             AWS in this process (moto), kept in files between runs
scaled, stopped_clock        time that runs faster, and another day than today
judged                       what all runs together came to
messages                     what was published
show, __main__               what a person sees
"""
