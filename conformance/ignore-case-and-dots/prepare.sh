# git keeps no folder of this name.
mkdir context/.git context/sub/.git; echo drop > context/.git/config; echo keep > context/sub/.git/config
