<?php namespace App; class One { public function say() { return (new Two)->say() . "1"; } }
