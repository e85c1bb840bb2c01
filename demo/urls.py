from django.urls import path

from demo.inbox import inbox

app_name = "demo"
urlpatterns = [path("demo/inbox/", inbox, name="inbox")]
