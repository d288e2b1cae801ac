"""HTTP: parse, open a transaction, call one function of the domain, choose an answer."""
