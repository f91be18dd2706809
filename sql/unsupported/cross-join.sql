-- mode: append
SELECT c.page, o.price FROM clicks c, orders o
