"""Audits the backups of Cloud Foundry service instances and notifies of those without one.

A map of the package, in the order in which a run passes through it:

    handler     Lambda's entry point: an event or a step in, one call, an answer out
    settings    the environment, read once into one typed value
    wiring      joins the use case and its edges
    audit       the use case: plan, audit_batch, conclude
    publish     makes a committed report known: pointer, messages, heartbeat
    edges       what it needs of the outside: bucket, topic, API, clock
    discovery   which instances a run audits, and what changed since the last fleet
    plan        the list that a run audits, and what its steps hand to each other
    batches     what became of its batches: which have no findings, and why
    fleet/      which instances, under which policy: sources (where the configuration is stored),
                configuration (the document), fields (kinds of its values), faults (what its types
                cannot say), doubts (what it hardly means), inventory (what a foundation lists, how
                that was read), selectors (globs), labels (selectors of labels), matching (all that
                fits an instance), policy (demands, and which are in force), self_service (what
                labels may demand), mutes (who is not notified), selection (which instances are
                audited), tally (what had no effect), explain (why), run (events, scopes, ids)
    probe/      asks for many instances at a time: engine (threads, and the clock), schedule (which
                instance is asked next, and again), giving_up (the limits at which asking ends),
                pacing (how many requests at a time, how long between them), attempt (the result of
                asking once), cloud_controller (the API, and which answers are worth a retry),
                paging (the inventory, whatever comes and goes), page (one page of it),
                secret (and what is wrong with it), authorization (UAA's tokens), http (one
                request), session (connections), authorities (private CAs)
    judge/      pure: evidence (what the API answered), verdict (the rules, reasons, severities),
                interval (how often an instance is backed up), under_way (what an operation
                excuses), finding (evidence and verdict, as they are stored), advice (what to do
                about a verdict, where to read on)
    report/     store (keys, conditional writes, one full run at a time), s3 (the bucket), changes
                (new, ongoing, resolved, reopened), summary (counts, order), figures (ages, who is
                late, the fleet by owner, space and offering), history (the full runs before),
                rendering (JSON, CSV), report (the documents), drift (what appeared, left, is
                audited by nobody), failing (since when full runs fail), alerts (who is notified,
                and when), listeners (whether anybody subscribes), groups (problems of one cause),
                marks (whose messages are out), commit (the order of writing), latest (the pointer
                to the newest), previous (what the last report left)
    page/       the page for people: page (streams it), answer (heading and banners), causes (why
                nothing is known), sections (what each shows), charts (SVG), period (runs and gaps),
                rows (the list, packed for the script), words (how values are said), markup (the
                templates, style and script), which is the only one to know Jinja2
    notify/     digest (one message for people), listing (what it names, what it counts), headline
                (the answer, attributes), problem_lines (open ones, and ends), fleet_news (what it
                says of the fleet), unheard (and of runs whose messages were not taken), mute_news
                (of the mutes), late_news (of who is late), room (what does not fit is counted),
                links (to the AWS console), run_failure (what is said of a run that failed),
                send_failure (to whom), events (for programs), event_documents (their form), chat
                (for channels), message (attributes, sizes), progress (how far messages are out),
                send (messages once, the dead man's switch), sns (the topic)
    telemetry   log lines and metrics

All of them use errors (those that end a run), aws (clients, and what they raise), strict (reads
what people write, every fault at once), sharing (equal values, once) and text (durations; what
others wrote, on one line).
"""

__version__ = "1.0.0"
