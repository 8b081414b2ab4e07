<?php namespace App; class Three extends Two { public function say() { return parent::say() . "three"; } }
