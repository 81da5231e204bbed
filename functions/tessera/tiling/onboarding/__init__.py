"""Find what workers read, practice and pass before a project's first task.

instructions   the text and the examples beside a manifest
practice       known pictures to label before the work, with the answer explained at once
qualification  known pictures by which a worker is let in, or not
"""
