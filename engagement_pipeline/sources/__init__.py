"""One folder a vendor API.

In: a Request. Out: how it is written, how its answer is read, what its refusals mean.
May import: core.
"""
