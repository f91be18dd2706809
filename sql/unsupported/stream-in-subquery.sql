-- mode: append
SELECT page FROM clicks WHERE userId IN (SELECT userId FROM orders)
