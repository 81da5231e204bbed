"""Make the page on which a worker answers a task.

    page               a run's settings into the template, then one task into that
    page_input         a line of the tasks manifest → what the page shows
    page_choices       what a page offers where it asks only some of several labels
    page_copy          names of the smaller copies that pages show in place of large pictures
    page_language      the script by which the page speaks its job's language
    instructions_html  Markdown → the safe HTML of the instructions
    plain_output       plain values of a Liquid template, written fast
    own_page           a project's own page, beside its manifest
    crowd_elements     the crowd elements that such a page may use

Import from the modules: `page_input`, `page_choices`, `page_copy` do without Liquid, which a cold
start should not have to load.
"""
