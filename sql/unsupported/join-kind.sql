-- mode: append
SELECT c.page, o.price FROM clicks c POSITIONAL JOIN orders o
