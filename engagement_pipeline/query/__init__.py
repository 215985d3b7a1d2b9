"""SQL over the files of a lake.

In: a lake. Out: views, and answers as Arrow tables. A mart is a SELECT in marts/.
May import: core, lake.
"""
