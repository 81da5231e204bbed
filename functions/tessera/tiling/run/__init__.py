"""Name a run and its jobs, keep its record, and say where its files lie.

    inbox       what may start a run, and what to answer for what does not
    jobs        names of runs; the request that opens a labeling job
    job_names   names of jobs, both ways
    run_record  run.json: how the run began, who owns it, what each round asked
    run         Run, one run in one of its rounds, as the stages after the answers see it
    run_size    how large a run may be
    run_files   files that their caller opens, on S3 or on a disk
    offsets     where each line of a tasks manifest starts

Import from the modules: `job_names` and `offsets` do without what a cold start need not load.
"""
