-- mode: append
SELECT page FROM clicks EXCEPT SELECT page FROM orders
