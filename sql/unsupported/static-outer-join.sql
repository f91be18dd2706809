-- mode: append
SELECT n.label, c.page FROM names n LEFT JOIN clicks c ON c.userId = n.id
