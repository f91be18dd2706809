-- mode: append
SELECT DISTINCT ON (page) page, userId FROM clicks
