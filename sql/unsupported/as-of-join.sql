-- mode: append
SELECT c.page, o.price FROM clicks c ASOF JOIN orders o ON c.userId = o.userId AND c.at <= o.at
