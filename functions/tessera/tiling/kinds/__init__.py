"""Hold the kinds of task that the setting `task` names, and what is particular to each.

    task_kinds   KINDS: what each kind shows, and which answers to an image it takes
    kind_runs    KIND_RUNS: how answers become labels, where a kind has a way of its own
    kind_result  what such a way returns, and the files that it gets
    custom_task  a project's own page: one task of each line of a manifest in any form
    custom_run   its jobs' output manifests become the run's
    multi_run    several labels an image: sets of answers become sets of labels

To add a kind, follow docs/change.md.
"""
