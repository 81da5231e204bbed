"""Pure core of labeling: functions of bytes and records, with no AWS, clock, environment or chance.

    manifest    lines of JSON become batches of images; bad lines are listed with a reason
    grouping    batches become tasks of about twenty images, with gold images among them
    page        settings become the page on which a worker answers a task
    jobs        a shard of tasks becomes the request that opens its labeling job
    answers     what workers submitted becomes columns: image, worker, label, seconds, round
    consensus   columns become one label an image, with a confidence and an expected gain
    guesses     a model of the answers guesses images from what is known of them in numbers
    embedding_blocks    a run's own pictures are listed by blocks, and the blocks' rows joined
    label_parts labels of a run too large for one function, by parts of its images
    training    labels are written into the manifest's lines, each line into one of the manifests
    report      all of it becomes figures, a page, metrics and an announcement

Where one more answer is worth more than `gain`, grouping begins again with those images alone.

    to change …                              look in …
    a setting, its bounds, its default       settings.py; what names a run: name_basis there
    what a manifest's line may hold          manifest/lines.py
    which image goes to which page           grouping/orders.py
    how gold images are mixed in             grouping/gold.py
    what is written before a round is asked  ask_round.py; who owns a run: run_record.py
    which images are asked again             grouping/later_round.py, training/write_manifests.py
    colors and keys of labels                page.py; the page itself: ui/README.md
    numbers that look random                 pseudo_random.py
    names of runs, the job's request         jobs.py; names of jobs: job_names.py
    which answers count                      answers/submission.py, answers/output_reader.py
    a consolidation method                   method_names.py, consensus/methods.py
    what is remembered of workers            worker_memory.py
    whom a page is offered to first          skills.py; the file: first_offers.py
    labels' shares, as stated                class_shares.py; their use: consensus/class_prior.py
    what finished runs are labeled by        consolidation_rules.py
    what the training manifest says          training/label_splice.py
    what is written after a round            label_run.py; what reviewers decided: decisions.py
    which pictures a run embeds itself       embedding_blocks.py; by what: tessera/encoders
    a figure of the report                   the module of report/ that is named for it
    seconds and prices of an estimate        estimate.py
    how large a run may be                   run_size.py; one labeled in parts: label_parts/
    a project's own page, custom tasks       own_page.py; custom_task.py before, custom_run.py after
    a kind of task                           task_kinds.py; what becomes of answers: kind_runs.py
    boxes on pictures                        manifest/boxes.py; a line each: manifest/box_lines.py
    several labels an image                  multi_run.py, consensus/label_sets.py
    which crowd elements have a stand-in     crowd_elements.py; they are in ui/crowd-elements.js
    what can go wrong, by name               errors.py

Folders import what is above them here and never each other sideways: tests/test_imports.py.
"""
