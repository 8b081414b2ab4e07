mkdir context/dir; echo x > context/dir/file; echo y > context/old; echo z > context/before
touch -d '2010-11-12 13:14:15 UTC' context/dir/file; touch -d '2011-01-01 00:00:00 UTC' context/dir; touch -d '1999-12-31 23:59:59 UTC' context/old; touch -d '1969-01-01 UTC' context/before
