"""Read workers' submissions into columns of answers.

`pack` writes a task's submissions into the job's output manifest, as they are (`submission`) and in
a short form (`short_form`); `page_log` has what became of the pictures. `output_reader` reads
output manifests back into the columns of an `answer_book`, and `table` turns those into arrays for
the consensus, and into CSV.
"""
