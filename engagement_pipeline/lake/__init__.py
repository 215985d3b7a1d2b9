"""The files of a lake.

    layout          where each file lies, and the format of the lake
    inventory       what lies in a lake, by kind
    raw             the landed responses, by pull
    landed_file     the file of one response
    looking         what a process is looking at, so that a response that kills it is known
    clock           the moments at which pulls begin and requests are sent
    rebuilds        which rebuilds are at work
    recovery        what a dead process or a bad disk left, put right
    request_log     the requests that were sent
    shapes          what was sent that is not documented
    refused_windows the windows that an API has refused
    set_aside       the Tweets that the API would not serve
    owners          whether each Tweet still has its owner
    forgotten       what keeps Tweets away that were forgotten
    saved           the reports that were saved
    parquet         tables, read and checked
    storages        under all of these: which storage a lake lies in
    states          what they have in common
    storage         on a disk, with disk: the only modules that touch a file
    bucket          in object storage, with object_ahead, object_lines, object_lock, object_names,
                    object_swap, object_files, objects and stores

In: bytes and Arrow tables. Out: files that are whole or absent, and what lies where.
May import: core.
"""
