"""Random numbers: generators as compiled loops over their states, and distributions over them."""
