<?php namespace App; class Two { public function say() { return "two"; } }
