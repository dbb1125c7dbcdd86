"""Random exchanges through the real program, most of them damaged on one side or the other.

    make fuzz ARGS="--seed 7 --exchanges 1000"       and to play one of them again: --only 123

`story` writes an exchange down before it is played, from the seed and its own number; `mutate`
damages it. `caller` and `provider` play the two sides in one event loop, with the program between
them in a process of its own. `strict` reads what each of them got, `judge` says whether that may be
so, and `run` watches over all of them: books, descriptors, memory, log.
"""
