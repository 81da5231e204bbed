"""Portal: a labeling service that takes Ground Truth's job request and leaves its output tree.

    OpenJob       job_request → job_lifecycle        a request becomes an open job
    ServePortal   routes → rights → views            a worker's HTTP request is let in and answered
                  claims → task_lines → task_page    a task is leased and shown
                  leases                             a seat is kept, given back, swept
                  answer_body → submissions          an answer is checked, stored in S3, counted
                  progress                           a requester looks on
    CloseJob      job_lifecycle → output             the answers become the output tree
    repair        job_lifecycle → repair             the index is rebuilt from the answers in S3

What all of them use: `records` (jobs, tasks, workers), `table_layout` (every key of the table),
`task_updates` (the one way to change a task), `ports` (everything outside), `errors`.

| to change | look in | hold it with |
|---|---|---|
| what a client may ask | `routes`, a view in `views` | tests/portal/test_routes.py |
| who gets which task | `claims` | tests/portal/test_claims.py, test_any_order.py |
| what a task's record holds | `records`, then `repair` | tests/portal/test_repair.py |
| a key or an attribute of the table | `table_layout` | tests/aws/test_table.py |
| what is needed of AWS | `ports`, then `tessera.aws` | tests/portal/test_faults.py |
"""
