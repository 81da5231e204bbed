"""Pure core of labeling: functions of bytes and records, with no AWS, clock, environment or chance.

    run         a manifest and its settings become a run with a name, a record and jobs
    manifest    lines of JSON become batches of images; bad lines are listed with a reason
    grouping    batches become tasks of about twenty images, with gold images among them
    page        settings become the page on which a worker answers a task
    onboarding  what workers read, practice and pass before their first task
    answers     what workers submitted becomes columns: image, worker, label, seconds, round
    consensus   columns become one label an image, with a confidence and an expected gain
    guesses     a model of the answers guesses images from what is known of them in numbers
    workers     what is known of workers: whom an image is offered first, who may not have it
    label_parts labels of a run too large for one function, by parts of its images
    training    labels are written into the manifest's lines, each line into one of the manifests
    report      all of it becomes figures, a page, metrics and an announcement
    kinds       the kinds of task, and what is particular to each

`ask_round` and `label_run` are what the state machine does before and after people answer. Where
one more answer is worth more than `gain`, grouping begins again with those images alone.

    to change …                              look in …
    a setting, its bounds, its default       settings.py; what names a run: name_basis there
    what a manifest's line may hold          manifest/lines.py
    which image goes to which page           grouping/orders.py
    how gold images are mixed in             grouping/gold.py
    what is written before a round is asked  ask_round.py; who owns a run: run/run_record.py
    which images are asked again             grouping/later_round.py, training/write_manifests.py
    which labels of them                     grouping/doubts.py; of a page: page/page_choices.py
    colors and keys of labels                page/page.py; the page itself: ui/README.md
    numbers that look random                 pseudo_random.py
    where uploaded pictures lie              picture_keys.py; their copies: page/page_copy.py
    names of runs, the job's request         run/jobs.py; names of jobs: run/job_names.py
    which answers count                      answers/submission.py, answers/output_reader.py
    a consolidation method                   method_names.py, consensus/methods.py
    what is remembered of workers            workers/worker_memory.py
    whom a page is offered to first          workers/skills.py; the file: workers/first_offers.py
    how a worker is let in                   onboarding/qualification.py
    labels' shares, as stated                class_shares.py; their use: consensus/class_prior.py
    what finished runs are labeled by        consolidation_rules.py
    what the training manifest says          training/label_splice.py
    what is written after a round            label_run.py; what reviewers decided: decisions.py
    which pictures a run embeds itself       guesses/embedding_blocks.py; by what: tessera/encoders
    a figure of the report                   the module of report/ that is named for it
    seconds and prices of an estimate        estimate.py
    how large a run may be                   run/run_size.py; one labeled in parts: label_parts/
    a kind of task                           kinds/task_kinds.py; its answers: kinds/kind_runs.py
    a project's own page, custom tasks       page/own_page.py; kinds/custom_task.py
    boxes on pictures                        manifest/boxes.py; a line each: manifest/box_lines.py
    several labels an image                  kinds/multi_run.py, consensus/label_sets.py
    which crowd elements have a stand-in     page/crowd_elements.py; they are in ui/
    what can go wrong, by name               errors.py

Folders import what is above them here and never each other sideways: tests/test_imports.py.
"""
