-- mode: append
SELECT session_window(at, '10 seconds') AS session, page FROM clicks
