cd context
mkdir -p dir/empty; chmod 700 dir; chmod 2775 dir/empty
echo x > script; chmod 750 script
echo s > setuid
ln -s plain link; ln -s /absolute absolute; ln -s ../.. up; ln -s nowhere dangling; ln -s dir dirlink
ln plain twin; ln plain dir/twin
chown -h -R 1234:2345 .; chmod 4755 setuid; chmod 2775 dir/empty
cd ..
