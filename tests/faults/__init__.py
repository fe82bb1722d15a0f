"""What can go wrong between us and the Cloud Controller, what must become of it, what did.

fault           what a fault is, and the answers that faults are made of
statuses, cloud_foundry, bodies, packing, framing, connections, slowness,
headers, certificates, proxies, ages    the faults, by what goes wrong
catalogue       all of them
server          does what a fault says, on loopback
trial           a run of the real client against that server
listed          the same faults in the list of instances, and a fleet that it lists
inventory_trial the whole use case, whose inventory comes over that server
"""
