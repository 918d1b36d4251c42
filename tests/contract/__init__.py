"""One contract for every sender: what each of them may expect, and what nobody gets away with, through a real port."""
