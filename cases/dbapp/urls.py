from django.contrib import admin
from django.urls import path, re_path
from django.views.static import serve

from shop import views

urlpatterns = [
    path("", views.index),
    path("admin/", admin.site.urls),
    path("items/", views.items),
    path("page/", views.page),
    path("zone/<path:name>", views.zone),
    path("export/<str:kind>", views.export),
    path("upload/<str:name>", views.upload),
    re_path("^static/(?P<path>.*)$", serve, {"document_root": "/srv/static"}),
]
