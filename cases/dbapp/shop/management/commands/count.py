from django.core.management.base import BaseCommand

from shop.models import Item


class Command(BaseCommand):
    def handle(self, **options):
        self.stdout.write(f"{Item.objects.filter(name__startswith=chr(122)).count()} items")
