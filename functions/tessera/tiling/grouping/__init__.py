"""Group batches of images into tasks of about twenty, in memory bounded by one shard.

The public names are `first_round.group_manifest` and `later_round.group_later_round`. Either fills
a shard buffer, plans its tasks and writes them, shard by shard:

    first_round    a manifest → the tasks of the first round, and counts of what its lines are
    later_round    unsure images → tasks for one more worker each
    doubts         images with several labels, by those that are in doubt
    ports          the files that a grouping reads and writes, given by the caller
    shard_buffer   one shard's images, its text in a scratch file
    duplicates     find the images that an earlier line has
    orders         the orders of the settings, each a function that plans tasks (ORDERS)
    near_duplicates  find images whose embeddings are nearly those of an earlier one
    similar        a ranking of images in which neighbors look alike, by their embeddings
    gold           find gold images, and insert them where workers cannot tell them apart
    limits         Ground Truth's limits, and what images take of them
    task_file      write tasks with their offsets

To add an order, write its function in `orders`, and its name in `settings.Order`.
"""
