package Report::Format::Csv; sub run { return lc('Csv') . ': ' . join(',', @_[1..$#_]) } 1;
