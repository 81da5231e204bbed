"""Keep what is known of workers, and what a job's tasks have to do with each of them.

worker_memory  what a project's runs learned of its workers, for the next run
skills         who is likely to be right about which images
first_offers   the file beside a job's tasks: to whom each is offered first
exclusions     the file beside a job's tasks: which of them each worker may not have
gold_uses      the file beside a shard's tasks: which gold images each has
"""
