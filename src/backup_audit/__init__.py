"""Audits the backups of Cloud Foundry service instances and tells who has none.

A map of the package, in the order in which a run passes through it:

    handlers/   Lambda's entry point: event in, one call, answer out
    settings    the environment, read once into one typed value
    bootstrap   the one place that joins adapters and use case
    audit       the use case: plan, probe, judge, keep, tell
    mapped      the same steps in many invocations, for a state machine
    probe       the engine: asks for many instances at the same time
    pacing      how many at a time, how fast, and when to give up
    keep        the commit protocol of a run's report
    tell        which messages a run sends, and that it sends them once
    verify      for a person at a shell: are the reports in a bucket those that were written?
    domain/     pure: backups, policies, verdicts, findings, changes, reports, messages
    deadline    how much time a run has left
    ports       what the use case needs from the world outside
    adapters/   one per technology: Cloud Controller, UAA, configuration sources, S3, SNS
    errors      the errors that end a run
"""

__version__ = "1.0.0"
