"""Label a run that one function's memory does not hold, in parts of its images.

A part is a range of the manifest's lines. The state machine runs each stage for all its items side
by side; between two stages ConsolidateLabels puts together what the items found, which is small:

    stage          one item is        what it leaves
    gather         a job              its answers, cut by part; its rows of answers.csv
    join-answers   a file             answers.csv, odd-answers.jsonl, flagged.csv
    tally          a part             its known labels; its images by number of answers
    sample         a part             every so manieth of its images     → fit, the model so far
    count          a part             expected counts by that model      → learn, the final model
    judge          a part             labels, and what is written of each line
    write          a part             its lines of the manifests
    join           a file             training.manifest and the others
    (then)                            report.json, report.html and what to announce

`plan` has the stages and decides which runs go by parts, `work` is what becomes of one item,
`reduce` is between the stages, `whole` makes the report. Everything that is kept in between lies in
the round's folder under `parts/` and is written again by whoever tries again. The consensus by
parts: `tessera.tiling.consensus.by_parts`. How far it reaches: docs/limits.md.
"""
